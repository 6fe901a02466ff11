// Peer: node:tls as its documentation recommends, one write for each chunk received. `big` is answered with 1 MiB.
//
//   node bench/peers/node-tls.mjs PORT CERTIFICATE KEY

import { readFileSync } from 'node:fs'
import process from 'node:process'
import { createServer } from 'node:tls'

const [port, cert, key] = process.argv.slice(2)
const big = Buffer.alloc(1 << 20, 'x')
const options = { cert: readFileSync(cert), key: readFileSync(key) }
const server = createServer(options, (socket) => {
  socket.on('data', (chunk) => socket.write(chunk.length === 4 && chunk[0] === 0x62 ? big : chunk))
  socket.on('error', () => socket.destroy())
})
server.listen({ host: '127.0.0.1', port: Number(port), backlog: 4096 }, () => {
  console.log(`listening ${server.address().port}`)
})
