// What a row of the option table is. Everything that is known about an option (command line, configuration
// file, environment, constructor, help, documentation) is derived from its row.

/** Sections of the configuration file, in the order in which they are printed. */
export const sections = [
  'global',
  'server',
  'handler',
  'limits',
  'socket',
  'tls',
  'proxy',
  'compress',
  'log',
  'cluster',
  'config',
] as const
export type Section = (typeof sections)[number]

/** A duration's unit where a number has none; also decides what it is normalized to: us, else milliseconds. */
export type DurationUnit = 'us' | 'ms' | 's'

/** What text a function option takes besides the name of an export or method and an arrow expression. */
export type FunctionText = 'framer' | 'encoding'

/** Kinds of values with their bounds (in the normalized unit). `zero`: what 0 means. */
export type Kind =
  | { readonly type: 'bool' }
  | {
      readonly type: 'int'
      readonly min: number
      readonly max: number
      /** A larger maximum, and what it takes; a rule refuses it where that is not so. */
      readonly wider?: { readonly max: number; readonly with: string }
    }
  | { readonly type: 'octal'; readonly max: number }
  | { readonly type: 'size'; readonly min: number; readonly max: number }
  | {
      readonly type: 'duration'
      readonly unit: DurationUnit
      readonly min: number
      readonly max: number
    }
  | { readonly type: 'enum'; readonly values: readonly (string | number)[] }
  | { readonly type: 'string' }
  | { readonly type: 'path' }
  | { readonly type: 'module' }
  | { readonly type: 'list'; readonly of: 'string' | 'path' }
  | { readonly type: 'json'; readonly shape: 'array' | 'object' }
  | { readonly type: 'class' }
  | { readonly type: 'function'; readonly takes: readonly FunctionText[] }

/**
 * What a user-level configuration file may do with an option: true anything, false nothing, 'lower' only
 * values up to the system's (0 is off, and above all), 'loopback' and 'unprivileged' what they say, 'no vsock' all but that.
 */
export type UserFile = boolean | 'lower' | 'loopback' | 'unprivileged' | 'no vsock'

/** One row. */
export interface Option {
  /** Canonical name, snake_case. */
  readonly name: string
  readonly section: Section
  /** Key in the configuration file, where it is not the name less a leading `<section>_`. */
  readonly key?: string
  /** Short letters of the command line. */
  readonly letters?: readonly string[]
  /** Letters that stand for the option with a value: -4 for --ip-version=4. */
  readonly valueLetters?: Readonly<Record<string, string>>
  /** Further long names of the command line. */
  readonly aliases?: readonly string[]
  readonly kind: Kind
  /** As a person would write it. */
  readonly default: string | number | boolean
  /** What 0 means. */
  readonly zero?: string
  /** What stands for the value in the help. */
  readonly hint?: string
  /** May be a list with one item for each cluster node. */
  readonly perNode?: true
  /** Never printed. */
  readonly secret?: true
  /** May change on SIGHUP. */
  readonly reloadable?: true
  /** Default true. */
  readonly userFile?: UserFile
  /** Has no meaning in a configuration file. */
  readonly noFile?: true
  /** Its first sentence is the line of the help. */
  readonly doc: string
}

/** `idle_timeout` as a type: `idleTimeout`. */
export type Camel<S extends string> = S extends `${infer A}_${infer B}`
  ? `${A}${Capitalize<Camel<B>>}`
  : S
