// UDP echo over node:dgram, as its documentation shows it.

import { createSocket } from 'node:dgram'
import { argv } from 'node:process'

const socket = createSocket('udp4')
socket.on('message', (bytes, { port, address }) => socket.send(bytes, port, address))
socket.bind(Number(argv[2] ?? 0), '127.0.0.1', () => console.log(`listening ${socket.address().port}`))
