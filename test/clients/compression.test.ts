// Other people's programs at the other end of a compressed stream.

import { spawnSync } from 'node:child_process'
import { Socket } from 'node:net'
import t, { type Test } from 'tap'
import { Gaidaros, type GaidarosOptions } from '../../dist/index.js'
import { lacking } from '../compiler.js'
import { unavailable } from '../conformance/available.js'
import { within } from '../conformance/deadline.js'
import { refuse, VARIANTS, type Variant } from '../conformance/variant.js'

const PYTHON = {
  pack: 'import sys, zlib; sys.stdout.buffer.write(zlib.compress(sys.stdin.buffer.read()))',
  unpack: `import sys, zlib
d = zlib.decompressobj()
sys.stdout.buffer.write(d.decompress(sys.stdin.buffer.read()) + d.flush())
assert d.eof and not d.unused_data`,
}

interface Tool {
  compress: 'zlib' | 'gzip' | 'zstd' | 'brotli'
  program: string
  pack: string[]
  unpack: string[]
}

const TOOLS: readonly Tool[] = [
  { compress: 'gzip', program: 'gzip', pack: ['-c'], unpack: ['-dc'] },
  {
    compress: 'zlib',
    program: 'python3',
    pack: ['-c', PYTHON.pack],
    unpack: ['-c', PYTHON.unpack],
  },
  { compress: 'zstd', program: 'zstd', pack: ['-qc'], unpack: ['-qdc'] },
  { compress: 'brotli', program: 'brotli', pack: ['-c'], unpack: ['-dc'] },
]

function run(t: Test, program: string, args: string[], input: Buffer): Buffer {
  const { status, stdout, stderr } = spawnSync(program, args, {
    input,
    maxBuffer: 64 * 1024 * 1024,
  })
  t.equal(status, 0, `${program} ${args[0]} has nothing to complain about: ${stderr}`)
  return stdout
}

/** Sends all of it and FIN. @returns all that comes back */
async function exchange(port: number, sent: Buffer): Promise<Buffer> {
  const socket = new Socket({ allowHalfOpen: true }).connect(port, '127.0.0.1')
  socket.end(sent)
  return within(socket.toArray().then(Buffer.concat), 'the whole answer')
}

async function understood(t: Test, { options }: Variant, tool: Tool): Promise<void> {
  const { compress, program, pack, unpack } = tool
  const server = new Gaidaros({
    ...options,
    host: '127.0.0.1',
    port: 0,
    compress,
    log: () => undefined,
  } as GaidarosOptions)
  t.teardown(() => server.close())
  const [address] = await server.serve()
  const port = address?.port ?? 0
  const lines = Array.from({ length: 50_000 }, (_, i) => `line ${i}\n`).join('')
  for (const plain of ['one\n', lines, '']) {
    const packed = run(t, program, pack, Buffer.from(plain))
    const got = await exchange(port, packed)
    t.equal(String(run(t, program, unpack, got)), plain)
  }
}

/** Why the variant does not have it, as the server itself says. */
async function lack(variant: Variant, { compress }: Tool): Promise<string | undefined> {
  return unavailable({ ...variant, options: { ...variant.options, compress } })
}

for (const name of ['edge', 'completion', 'portable'] as const) {
  const variant = VARIANTS[name]
  const reason = await unavailable(variant)
  if (reason !== undefined) {
    refuse(t, reason)
    continue
  }
  for (const tool of TOOLS) {
    const title = `${name}: ${tool.compress} by ${tool.program}`
    const missing = await lack(variant, tool)
    if (missing !== undefined && name === 'portable') t.pass(title, { skip: missing })
    else if (missing !== undefined) lacking(t, missing)
    else if (spawnSync(tool.program, ['--version']).error !== undefined)
      lacking(t, `${tool.program} is not installed`)
    else void t.test(title, (t) => understood(t, variant, tool))
  }
}
