// The measured handler: an echo in a worker thread, one postMessage a turn each way.
import type { Batch } from '../../lib/handler/contract.js'
import { courier, echoThread } from './elsewhere.js'

const worker = echoThread()
const { send, deliver } = courier((parcel) => worker.postMessage(parcel))
worker.on('message', deliver)

export const handleBatch = (batch: Batch) => send(batch)
