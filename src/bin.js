#!/usr/bin/env node
// The door of the program. Plain JavaScript that an old Node can parse, so that it can say what is missing instead of
// failing on the first line of TypeScript; nothing else belongs here.
var version = process.versions.node.split('.').map(Number)

if (version[0] > 22 || (version[0] === 22 && version[1] >= 18)) {
  Promise.all([import('node:module'), import('node:path'), import('node:os')])
    .then(([module, path, os]) => {
      // Half of the start-up time, and 15 MB a thread, go into reading our own TypeScript; the cache keeps what came out of
      // it. It is the user's own folder, for whoever could write there could say what we run.
      var caches = process.env.XDG_CACHE_HOME || process.env.LOCALAPPDATA || path.join(os.homedir(), '.cache')
      var folder = process.env.NODE_COMPILE_CACHE || path.join(caches, 'peerage')
      var cache = module.enableCompileCache ? module.enableCompileCache(folder) : {}
      // Threads look for it there.
      if (cache.directory) process.env.NODE_COMPILE_CACHE = path.dirname(cache.directory)
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
