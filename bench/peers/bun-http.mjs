// Peer: Bun.serve as its documentation shows it.
//
//   bun bench/peers/bun-http.mjs [PORT]

const server = Bun.serve({
  hostname: '127.0.0.1',
  port: Number(process.argv[2] ?? 0),
  fetch: () => new Response('Hello, World!', { headers: { 'Content-Type': 'text/plain' } }),
})
console.log(`listening ${server.port}`)
