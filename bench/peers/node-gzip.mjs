// node:net and node:zlib as their documentation pipes them: 1 MiB of text for each line of a gzip stream, flushed.
import { createServer } from 'node:net'
import { constants, createGunzip, createGzip } from 'node:zlib'

const TEXT = Buffer.from(
  Array.from({ length: 45_000 }, (_, i) => `${i} ${Math.sin(i)}\n`).join(''),
).subarray(0, 1 << 20)

const server = createServer({ allowHalfOpen: true }, (socket) => {
  const input = createGunzip()
  const output = createGzip({ flush: constants.Z_SYNC_FLUSH })
  socket.on('error', () => socket.destroy())
  socket.pipe(input).on('data', (chunk) => {
    for (const byte of chunk) if (byte === 10) output.write(TEXT)
  })
  input.on('end', () => output.end())
  output.pipe(socket)
})
server.listen(Number(process.argv[2] ?? 0), '127.0.0.1', () => console.log(`listening ${server.address().port}`))
