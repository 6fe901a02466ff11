// The measured handler: an echo in a worker thread, one postMessage a turn each way.
import { Worker } from 'node:worker_threads'
import type { Batch } from '../../lib/handler/contract.js'
import { courier } from './elsewhere.js'

const worker = new Worker(
  "const { parentPort } = require('node:worker_threads'); parentPort.on('message', (m) => parentPort.postMessage(m))",
  { eval: true },
)
const { send, deliver } = courier((parcel) => worker.postMessage(parcel))
worker.on('message', deliver)

export const handleBatch = (batch: Batch) => send(batch)
