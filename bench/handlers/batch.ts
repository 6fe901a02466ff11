// The measured handler: a batch of lazy requests, each answered with itself and copied natively.
import type { Batch } from '../../lib/handler/contract.js'

export const handleBatch = (batch: Batch) => {
  for (const request of batch) request.reply(request)
}
