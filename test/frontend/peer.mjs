// The application on @hono/node-server; prints its port.

import { serve } from '@hono/node-server'
import application from './application.mjs'

serve({ fetch: application.fetch, hostname: '127.0.0.1', port: 0 }, ({ port }) => {
  process.stdout.write(`${port}\n`)
})
