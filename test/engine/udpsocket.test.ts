// A UDP socket of the portable engine by itself.

import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import t from 'tap'
import { UdpSocket } from '../../lib/engine/portable/datagrams/udpsocket.js'

const ANY = { address: '127.0.0.1', port: 0, backlog: 0, v6only: false, datagrams: true }

t.test('it is bound when open() returns, and receives when it is told to', async (t) => {
  const socket = UdpSocket.open(ANY)
  t.ok(socket.address.port > 0)
  t.ok(socket.fd > 2)
  const peer = createSocket('udp4')
  let got = 0
  const heard = new Promise<void>((resolve) => {
    socket.listen(
      () => {
        got++
        resolve()
      },
      () => undefined,
    )
  })
  await new Promise((resolve) => peer.send('early', socket.address.port, '127.0.0.1', resolve))
  await new Promise(setImmediate)
  t.equal(got, 0, 'it waits in the kernel')
  socket.receiving = true
  await heard
  peer.close()
  await socket.close()
})

t.test('two of one port: the second is refused at once', async (t) => {
  const socket = UdpSocket.open(ANY)
  const { port } = socket.address
  t.throws(() => UdpSocket.open({ ...ANY, port }), {
    code: 'ERR_GAIDAROS_LISTEN',
    errnoCode: 'EADDRINUSE',
  })
  await socket.close()
})

t.test('a descriptor that is no UDP socket', (t) => {
  t.throws(() => UdpSocket.open({ ...ANY, fd: 1 }), { code: 'ERR_GAIDAROS_LISTEN' })
  t.end()
})

t.test('a sender whose port is 0 was made up: nothing is sent, nothing is thrown', async (t) => {
  const socket = UdpSocket.open(ANY)
  const to = { address: '127.0.0.1', family: 'IPv4', port: 0, size: 1 } as const
  const sent = await new Promise((resolve) => socket.send(Buffer.from('a'), to, resolve))
  t.equal(sent, undefined)
  t.equal(socket.pending, 0)
  await socket.close()
})

t.test('one that is taken over by its descriptor', async (t) => {
  const first = UdpSocket.open(ANY)
  const second = UdpSocket.open({ ...ANY, fd: first.fd })
  t.strictSame(second.address, first.address)
  const peer = createSocket('udp4')
  second.listen(
    (bytes, from) => second.send(bytes, from, () => undefined),
    () => undefined,
  )
  second.receiving = true
  peer.send('echo', first.address.port, '127.0.0.1')
  const [answer] = await once(peer, 'message')
  t.equal(String(answer), 'echo')
  peer.close()
  // Both have the one descriptor: whoever is second to close it would close somebody else's.
  await second.close()
})
