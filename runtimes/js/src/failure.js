// Why there is no result.

export class Failed extends Error {
  /** `failure` has the form of the interface's variant of that name. */
  constructor(tag, val) {
    super(tag);
    this.failure = { tag, val };
  }
}
