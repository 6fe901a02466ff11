// The measured application of Hono, on frontend fetch and on @hono/node-server.
import { Hono } from 'hono'

const app = new Hono()
app.get('/', (c) => c.text('Hello, World!'))

export default app
