/**
 * Plants the bug that PLANTED names: `node --import ./test/sim/plant.ts scripts/sim.ts`. The file is changed as it is
 * loaded, nothing on disk.
 */
import { registerHooks } from 'node:module'
import { PLANTED_BUGS } from './planted-bugs.ts'

const bug = PLANTED_BUGS.find(({ name }) => name === process.env['PLANTED'])
if (bug === undefined) throw new RangeError(`expected PLANTED to name a planted bug, got ${process.env['PLANTED']}`)
const url = new URL(`../../${bug.file}`, import.meta.url).href

registerHooks({
  load(asked, context, next) {
    const loaded = next(asked, context)
    if (asked !== url) return loaded
    const source = String(loaded.source)
    if (source.split(bug.find).length !== 2) throw new Error(`${bug.file} does not hold once: ${bug.find}`)
    return { ...loaded, source: source.replace(bug.find, () => bug.replace) }
  },
})
