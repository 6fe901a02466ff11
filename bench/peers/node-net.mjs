// Peer: node:net as its documentation recommends, one write for each chunk received.
//
//   node bench/peers/node-net.mjs [PORT]

import { createServer } from 'node:net'

const server = createServer((socket) => {
  socket.on('data', (chunk) => socket.write(chunk))
  // A reset by the generator ends that connection only; 'close' follows by itself.
  socket.on('error', () => socket.destroy())
})
server.listen({ host: '127.0.0.1', port: Number(process.argv[2] ?? 0), backlog: 4096 }, () => {
  console.log(`listening ${server.address().port}`)
})
