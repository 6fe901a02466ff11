// Puts what a process of the server loads before it serves into one file each: node finds, reads and links a hundred
// modules for longer than it takes to run them. The programs are those that tsc has left in dist/, in place; packages
// stay where they are, and so does everything for who imports the library.
//
//   node scripts/bundle.mjs      after tsc; part of `npm run build`

import { readFile } from 'node:fs/promises'
import { dirname, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const DIST = fileURLToPath(new URL('../dist/', import.meta.url))
const PROGRAMS = ['cli/main.js', 'dispatch/pool/main.js', 'server/pool/main.js']

/** A module in `program` still finds its neighbours from where it stood by itself. */
const placesOf = (program) => ({
  name: 'places',
  setup({ onLoad }) {
    onLoad({ filter: /\.js$/ }, async ({ path }) => {
      const code = await readFile(path, 'utf8')
      const place = JSON.stringify(relative(dirname(program), path))
      return {
        contents: code.replaceAll('import.meta.url', `new URL(${place}, import.meta.url).href`),
      }
    })
  },
})

for (const name of PROGRAMS) {
  const program = `${DIST}${name}`
  await build({
    entryPoints: [program],
    outfile: program,
    allowOverwrite: true,
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node20.19',
    sourcemap: true,
    logLevel: 'warning',
    plugins: [placesOf(program)],
  })
}
