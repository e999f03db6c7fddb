#!/usr/bin/env node
// The door of the program. Plain JavaScript that an old Node can parse, so that it can say what is missing instead of
// failing on the first line of TypeScript; nothing else belongs here.
var version = process.versions.node.split('.').map(Number)

if (version[0] > 22 || (version[0] === 22 && version[1] >= 18)) {
  import('node:module')
    .then((module) => {
      // A quarter of the start-up time is reading our own TypeScript; the cache keeps what came out of it.
      if (module.enableCompileCache) module.enableCompileCache()
      return import('./cli.ts')
    })
    .then((cli) => cli.run(process.argv.slice(2)))
    .then(
      (code) => {
        process.exitCode = code
      },
      (error) => {
        console.error(error)
        process.exitCode = 1
      },
    )
} else {
  console.error(
    'peerage needs Node >= 22.18, this is ' +
      process.versions.node +
      '.\nIn a checkout, `npm ci` brings its own: `npm start`, or `npm run -s peerage -- COMMAND`.',
  )
  process.exitCode = 1
}
