/**
 * Writes test/vectors/*.json from the code, or with --check says which files differ from what it would write.
 *
 *   node scripts/vectors.ts [--check] [NAME...]
 *
 * The vectors are what another implementation is held against, so a change here is a change of the wire: it belongs in
 * one commit with SPEC.md. Each case has a comment; bytes are hex.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { authorityVectors } from './vectors/authority.ts'
import { bodyVectors } from './vectors/body.ts'
import { cborVectors } from './vectors/cbor.ts'
import { frameVectors } from './vectors/frame.ts'
import { mergeVectors } from './vectors/merge.ts'
import { opVectors } from './vectors/op.ts'
import { setVectors } from './vectors/set.ts'
import { signatureVectors } from './vectors/signature.ts'
import { sketchVectors } from './vectors/sketch.ts'
import { textVectors } from './vectors/text.ts'
import { trieVectors } from './vectors/trie.ts'

const sections: Readonly<Record<string, () => unknown>> = {
  signature: signatureVectors,
  cbor: cborVectors,
  op: opVectors,
  frame: frameVectors,
  body: bodyVectors,
  merge: mergeVectors,
  text: textVectors,
  set: setVectors,
  authority: authorityVectors,
  sketch: sketchVectors,
  trie: trieVectors,
}

const args = process.argv.slice(2)
const check = args.includes('--check')
const names = args.filter((arg) => !arg.startsWith('--'))
let differing = 0
for (const [name, make] of Object.entries(sections)) {
  if (names.length > 0 && !names.includes(name)) continue
  const file = new URL(`../test/vectors/${name}.json`, import.meta.url)
  const text = `${JSON.stringify(make(), undefined, 1)}\n`
  if (!check) writeFileSync(file, text)
  else if (readFileSync(file, 'utf8') !== text) {
    console.log(`${name}.json differs`)
    differing++
  }
}
process.exitCode = differing > 0 ? 1 : 0
