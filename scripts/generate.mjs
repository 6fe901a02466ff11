// Writes what is generated from the option table: docs/options.md and etc/gaidaros.conf. With --check it
// writes nothing and exits 1, naming the files that are stale. Needs dist/: run the build first.

import { readFileSync, writeFileSync } from 'node:fs'
import { generatedFiles } from '../dist/options/index.js'

const at = (path) => new URL(`../${path}`, import.meta.url)
const read = (path) => readFileSync(at(path), 'utf8')

function present(path) {
  try {
    return read(path)
  } catch (error) {
    if (error.code === 'ENOENT') return undefined
    throw error
  }
}

const check = process.argv.includes('--check')
const stale = Object.entries(generatedFiles(read)).filter(([path, text]) => present(path) !== text)
for (const [path, text] of stale) {
  if (check) console.error(`${path} is stale: npm run build && npm run generate`)
  else writeFileSync(at(path), text)
  if (!check) console.log(`wrote ${path}`)
}
if (check && stale.length > 0) process.exitCode = 1
