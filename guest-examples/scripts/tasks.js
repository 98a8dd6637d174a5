// Tasks in plain JavaScript. Try: hostel run tasks.js#add 40 2

export function explain_tasks() {
  console.log('run any code here!');
  console.log('but maybe just a little bit');
}

export const cool_task = () => 'sup';

export const sum_plus = (x, items) => x + items.reduce((sum, item) => sum + item, 0);

export function process_data(item) {
  if (item < 0) throw new RangeError(`Cannot process negative value: ${item}`);
  return `Processed ${item}`;
}

/** A score that depends on both, so that there is a best model. */
export function train_model(dataset, model_config) {
  const score = (dataset.name.length * model_config.name.length) % 97;
  return { dataset: dataset.name, model: model_config.name, score };
}

export function add(a, b) {
  console.log(`${a} + ${b} = ${a + b}`);
  return a + b;
}

export function multiply(a, b) {
  console.log(`${a} * ${b} = ${a * b}`);
  return a * b;
}

export const add_one = (x) => x + 1;

export const my_cached_task = (x) => x + 42;

/** Integers have any number of digits. */
export const power = (base, exponent) => BigInt(base) ** BigInt(exponent);
