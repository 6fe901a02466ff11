// Peer: Hono on @hono/node-server as its documentation shows it, with the backlog that all peers have.
//
//   node bench/peers/hono-node.mjs [PORT]

import { createAdaptorServer } from '@hono/node-server'
import app from '../handlers/hono.mjs'

const server = createAdaptorServer({ fetch: app.fetch })
server.listen({ host: '127.0.0.1', port: Number(process.argv[2] ?? 0), backlog: 4096 }, () => {
  console.log(`listening ${server.address().port}`)
})
