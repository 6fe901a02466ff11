import t from 'tap'
import { ALL, keepOrder } from './arrangement.js'

await keepOrder(t, ALL)
