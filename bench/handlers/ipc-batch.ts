// The measured handler: an echo in a child process, one IPC message a turn each way.
import { spawn } from 'node:child_process'
import type { Batch } from '../../lib/handler/contract.js'
import { courier, type Parcel } from './elsewhere.js'

const child = spawn(process.execPath, ['-e', "process.on('message', (m) => process.send(m))"], {
  stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  serialization: 'advanced',
})
const { send, deliver } = courier((parcel) => child.send(parcel))
child.on('message', (parcel) => deliver(parcel as Parcel))

export const handleBatch = (batch: Batch) => send(batch)
