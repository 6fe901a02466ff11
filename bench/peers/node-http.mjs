// Peer: node:http as its documentation shows it.
//
//   node bench/peers/node-http.mjs [PORT]

import { createServer } from 'node:http'

const BODY = 'Hello, World!'
const HEAD = { 'Content-Type': 'text/plain', 'Content-Length': BODY.length }

const server = createServer((_request, response) => {
  response.writeHead(200, HEAD)
  response.end(BODY)
})
server.listen({ host: '127.0.0.1', port: Number(process.argv[2] ?? 0), backlog: 4096 }, () => {
  console.log(`listening ${server.address().port}`)
})
