/** Thrown where a case turns out to say nothing about its variant: it is skipped. */
export class Unfit extends Error {}
