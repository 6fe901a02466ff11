// Where a frame of zstd ends, told from its own lengths alone: of frames that the zstd program makes.

import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import t from 'tap'
import { isZstdFrame, ZstdFrame } from '../../lib/engine/portable/compress/zstd.js'
import { isInstalled, lacking } from '../compiler.js'

const pack = (plain: Buffer, ...args: string[]): Buffer =>
  spawnSync('zstd', ['-qc', ...args], { input: plain, maxBuffer: 1 << 28 }).stdout

/** How many bytes of `input` belong to the frame that it begins with, given in pieces; undefined: it has not ended. */
function lengthOf(input: Buffer, piece: number): number | undefined {
  const frame = new ZstdFrame()
  let length = 0
  for (let at = 0; at < input.length && !frame.hasEnded; at += piece)
    length += frame.take(input.subarray(0, at + piece), at)
  return frame.hasEnded ? length : undefined
}

/** RFC 8878, 3.1.2. */
function skipped(bytes: Buffer): Buffer {
  const head = Buffer.alloc(8)
  head.writeUInt32LE(0x184d2a57, 0)
  head.writeUInt32LE(bytes.length, 4)
  return Buffer.concat([head, bytes])
}

if (!isInstalled('zstd')) lacking(t, 'zstd is not installed')
else {
  const text = Buffer.from('one line of many\n'.repeat(40_000))
  const contents = {
    nothing: Buffer.alloc(0),
    'a byte': Buffer.from('x'),
    '300 bytes, whose size has two bytes': randomBytes(300),
    'one byte over and over': Buffer.alloc(1 << 20, 'x'),
    'what does not compress': randomBytes(700_000),
    text,
  }
  const settings = {
    'a checksum': ['--check'],
    'no checksum': ['--no-check'],
    'no size of the content': ['--no-content-size', '--no-check'],
    'a small window': ['--zstd=wlog=10', '-1'],
    'the most effort': ['-19'],
  }
  for (const [content, plain] of Object.entries(contents))
    for (const [setting, args] of Object.entries(settings))
      t.test(`${content}, ${setting}`, async (t) => {
        const frame = pack(plain, ...args)
        const stream = Buffer.concat([frame, pack(text), Buffer.from('behind')])
        t.ok(isZstdFrame(frame[0] as number))
        for (const piece of [1, 3, 1000, stream.length])
          t.equal(lengthOf(stream, piece), frame.length)
        t.equal(lengthOf(frame, frame.length), frame.length, 'nothing behind it')
        t.equal(lengthOf(frame.subarray(0, -1), frame.length), undefined, 'cut short')
      })
  t.test('frames to be skipped', async (t) => {
    for (const length of [0, 1, 100_000]) {
      const frame = skipped(randomBytes(length))
      t.ok(isZstdFrame(frame[0] as number))
      for (const piece of [1, 9, frame.length])
        t.equal(lengthOf(Buffer.concat([frame, pack(text)]), piece), frame.length)
    }
  })
  t.notOk(isZstdFrame(0x1f), 'gzip')
}
