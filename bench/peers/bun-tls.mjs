// Peer: Bun's own sockets with TLS, one write for each chunk received.
//
//   bun bench/peers/bun-tls.mjs PORT CERTIFICATE KEY

const [port, cert, key] = process.argv.slice(2)
const server = Bun.listen({
  hostname: '127.0.0.1',
  port: Number(port),
  tls: { cert: Bun.file(cert), key: Bun.file(key) },
  socket: { data: (socket, chunk) => socket.write(chunk) },
})
console.log(`listening ${server.port}`)
