// Peer: uWebSockets.js in the build that npm has (npm --prefix bench install).
//
//   node bench/peers/uws-http.mjs [PORT]

import { createRequire } from 'node:module'
import { arch, argv, platform, versions } from 'node:process'

// The binary itself: where there is none for this Node the package falls back to node:http, which is another peer.
const binary = `uws_${platform}_${arch}_${versions.modules}.node`
const { App, us_socket_local_port: portOf } = createRequire(import.meta.url)(`@trufflesuite/uws-js-unofficial/binaries/${binary}`)

const app = App().get('/*', (response) => {
  response.writeHeader('Content-Type', 'text/plain').end('Hello, World!')
})
app.listen('127.0.0.1', Number(argv[2] ?? 0), (listener) => {
  if (!listener) throw new Error(`listening on port ${argv[2]} has failed`)
  console.log(`listening ${portOf(listener)}`)
})
