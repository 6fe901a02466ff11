// Both builds of the addon compile the same sources with the same flags.
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import t from 'tap'

const root = new URL('../../', import.meta.url)
const text = (file: string) => readFileSync(new URL(file, root), 'utf8')
const listed = execFileSync(process.execPath, ['scripts/sources.cjs'], {
  cwd: root,
  encoding: 'utf8',
})
  .trim()
  .split('\n')
const present = readdirSync(new URL('native/', root), { recursive: true })
  .map(String)
  .filter((name) => name.endsWith('.cc'))
  .map((name) => `native/${name}`)
  .sort()

t.strictSame(listed, present, 'binding.gyp compiles every source in native/')
t.match(text('binding.gyp'), '<!@(node scripts/sources.cjs)')
t.match(text('CMakeLists.txt'), 'file(GLOB_RECURSE SOURCES CONFIGURE_DEPENDS native/*.cc)')
for (const flag of [
  'NAPI_VERSION=9',
  'NODE_ADDON_API_DISABLE_DEPRECATED',
  '-Wl,-z,now',
  '_GNU_SOURCE',
])
  for (const file of ['binding.gyp', 'CMakeLists.txt'])
    t.match(text(file), flag, `${file}: ${flag}`)
