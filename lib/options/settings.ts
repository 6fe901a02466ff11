// The types that follow from the table: what the rest of the server reads, and what the constructor takes.

import type { HandlerFunctions } from '../handler/contract.js'
import type { Camel, Kind } from './option.js'
import type { Row } from './table.js'

/** A handler class: made once for each loop with handler_class_args and, last, handler_class_kwargs. */
// biome-ignore lint/suspicious/noExplicitAny: its arguments are the user's
export type HandlerClass = new (...args: any[]) => object

type Function<R extends { name: string }> =
  Camel<R['name']> extends infer N
    ? N extends keyof HandlerFunctions
      ? string | Exclude<HandlerFunctions[N], undefined>
      : never
    : never

type Json<K> = K extends { shape: 'array' } ? readonly unknown[] : Readonly<Record<string, unknown>>

type Plain<R extends { name: string; kind: Kind }> = R['kind'] extends infer K
  ? K extends { type: 'bool' }
    ? boolean
    : K extends { type: 'int' | 'octal' | 'size' | 'duration' }
      ? number
      : K extends { type: 'enum'; values: readonly (infer V)[] }
        ? V
        : K extends { type: 'list' }
          ? readonly string[]
          : K extends { type: 'json' }
            ? Json<K>
            : K extends { type: 'class' }
              ? string | HandlerClass
              : K extends { type: 'function' }
                ? Function<R>
                : string
  : never

type ValueOf<R extends { name: string; kind: Kind }> = R extends { perNode: true }
  ? Plain<R> | readonly Plain<R>[]
  : Plain<R>

type InputOf<R extends { name: string; kind: Kind }> = R['kind'] extends {
  type: 'size' | 'duration' | 'octal' | 'list'
}
  ? ValueOf<R> | string
  : ValueOf<R>

/**
 * Every option's value, normalized: durations in milliseconds (busy_poll and socket_busy_poll in microseconds), sizes in bytes,
 * lists as arrays. Text and functions that are not set are the empty string. perNode options are one value or
 * a list with one for each node.
 */
export type Settings = { readonly [R in Row as Camel<R['name']>]: ValueOf<R> }

/**
 * What the constructor takes: any option in camelCase. A duration is text with its unit ('250ms', '5m'), or a
 * number in the unit of its row, which is **seconds** for timeouts; a size is bytes or text ('64k').
 */
export type GaidarosOptions = { readonly [R in Row as Camel<R['name']>]?: InputOf<R> | undefined }

/** Names as the constructor takes them. */
export type SettingName = keyof Settings
