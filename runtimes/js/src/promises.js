// Promises with a queue of their own. The engine runs the jobs of its promises only after a call, when it is too late for the result.

const jobs = [];

/** Runs all jobs, and those that they add. */
export function drain() {
  for (let at = 0; at < jobs.length; at += 1) {
    jobs[at]();
    if (at >= 1024) {
      // Those that have run are not kept, however many there are.
      jobs.splice(0, at + 1);
      at = -1;
    }
  }
  jobs.length = 0;
}

class Later {
  #state = 'pending';
  #value;
  #reactions = [];

  constructor(executor) {
    if (typeof executor !== 'function') throw new TypeError('the executor of a promise is a function');
    const { resolve, reject } = this.#functions();
    try {
      executor(resolve, reject);
    } catch (error) {
      reject(error);
    }
  }

  /** The two functions that settle it, of which the first call counts. */
  #functions() {
    let isCalled = false;
    const once = (action) => (value) => {
      if (isCalled) return;
      isCalled = true;
      action(value);
    };
    return { resolve: once((value) => this.#resolve(value)), reject: once((error) => this.#settle('rejected', error)) };
  }

  #resolve(value) {
    if (value === this) {
      this.#settle('rejected', new TypeError('a promise cannot be resolved with itself'));
      return;
    }
    if ((typeof value !== 'object' && typeof value !== 'function') || value === null) {
      this.#settle('fulfilled', value);
      return;
    }
    let then;
    try {
      ({ then } = value);
    } catch (error) {
      this.#settle('rejected', error);
      return;
    }
    if (typeof then !== 'function') {
      this.#settle('fulfilled', value);
      return;
    }
    jobs.push(() => {
      const { resolve, reject } = this.#functions();
      try {
        then.call(value, resolve, reject);
      } catch (error) {
        reject(error);
      }
    });
  }

  #settle(state, value) {
    this.#state = state;
    this.#value = value;
    this.#reactions.splice(0).forEach((reaction) => jobs.push(reaction));
  }

  then(onFulfilled, onRejected) {
    return new this.constructor((resolve, reject) => {
      const reaction = () => {
        const isFulfilled = this.#state === 'fulfilled';
        const handler = isFulfilled ? onFulfilled : onRejected;
        if (typeof handler !== 'function') {
          (isFulfilled ? resolve : reject)(this.#value);
          return;
        }
        try {
          resolve(handler(this.#value));
        } catch (error) {
          reject(error);
        }
      };
      if (this.#state === 'pending') this.#reactions.push(reaction);
      else jobs.push(reaction);
    });
  }

  catch(onRejected) {
    return this.then(undefined, onRejected);
  }

  finally(action) {
    if (typeof action !== 'function') return this.then(action, action);
    const after = (settle) => (value) => this.constructor.resolve(action()).then(() => settle(value));
    return this.then(
      after((value) => value),
      after((error) => {
        throw error;
      }),
    );
  }

  static resolve(value) {
    return value instanceof Later && value.constructor === this ? value : new this((resolve) => resolve(value));
  }

  static reject(error) {
    return new this((_, reject) => reject(error));
  }

  static withResolvers() {
    const parts = {};
    parts.promise = new this((resolve, reject) => Object.assign(parts, { resolve, reject }));
    return parts;
  }

  static try(action, ...values) {
    return new this((resolve) => resolve(action(...values)));
  }

  static all(items) {
    return this.#gathered(items, (promise, keep, reject) => promise.then(keep, reject), (values) => values);
  }

  static allSettled(items) {
    const kept = (promise, keep) =>
      promise.then(
        (value) => keep({ status: 'fulfilled', value }),
        (reason) => keep({ status: 'rejected', reason }),
      );
    return this.#gathered(items, kept, (values) => values);
  }

  static any(items) {
    return new this((resolve, reject) => {
      const failed = this.#gathered(items, (promise, keep) => promise.then(resolve, keep), (errors) => errors);
      failed.then((errors) => reject(new AggregateError(errors, 'all promises were rejected')), reject);
    });
  }

  static race(items) {
    return new this((resolve, reject) => {
      for (const item of items) this.resolve(item).then(resolve, reject);
    });
  }

  static #gathered(items, each, end) {
    return new this((resolve, reject) => {
      const values = [];
      let left = 1;
      const done = () => {
        left -= 1;
        if (left === 0) resolve(end(values));
      };
      let index = 0;
      for (const item of items) {
        const at = index;
        index += 1;
        left += 1;
        values.push(undefined);
        const keep = (value) => {
          values[at] = value;
          done();
        };
        each(this.resolve(item), keep, reject);
      }
      done();
    });
  }

  get [Symbol.toStringTag]() {
    return 'Promise';
  }
}

/** Executes the body of an async function, a generator that gives what it awaits. */
export function run(generator) {
  return new Later((resolve, reject) => {
    const step = (advance) => {
      let next;
      try {
        next = advance();
      } catch (error) {
        reject(error);
        return;
      }
      if (next.done) {
        resolve(next.value);
        return;
      }
      Later.resolve(next.value).then(
        (value) => step(() => generator.next(value)),
        (error) => step(() => generator.throw(error)),
      );
    };
    step(() => generator.next());
  });
}

Object.defineProperty(Later, 'name', { value: 'Promise' });
globalThis.Promise = Later;
globalThis.queueMicrotask = (job) => {
  if (typeof job !== 'function') throw new TypeError('a job is a function');
  jobs.push(() => {
    try {
      job();
    } catch (error) {
      console.error(error);
    }
  });
};
// What `asynchronous.js` writes into a source.
Object.defineProperty(globalThis, '$$async', { value: run });
Object.defineProperty(globalThis, '$$await', { value: (value) => value });
