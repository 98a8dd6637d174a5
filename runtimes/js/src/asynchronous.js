// Async functions as generators, because only the promises of `promises.js` are settled before a call ends.
//
// `async function f(a) { await g(a); }` becomes `function f(a) { return $$async((function*(a){ $$await(yield(g(a))); }).call(this,a)); }`.
// Lines stay where they are.

/** The edits `[start, end, text]` of a source, inner ones after outer ones. `refuse` throws what is wrong with a node. */
export function edits(tree, source, refuse) {
  const found = [];
  visit(tree, { isAsync: false });
  return found;

  function insert(at, text) {
    found.push([at, at, text]);
  }

  function visit(node, around) {
    if (isFunction(node)) {
      functionEdits(node, around);
      return;
    }
    if (node.type === 'ForOfStatement' && node.await) refuse(node, '`for await` is not supported: await each item');
    if (node.type !== 'AwaitExpression') {
      children(node).forEach((child) => visit(child, { ...around, owner: node }));
      return;
    }
    if (!around.isAsync) refuse(node, '`await` outside of async functions is not supported');
    // As a call, so that a line that begins with it begins a statement.
    found.push([node.start, node.start + 'await'.length, '$$await(yield(']);
    visit(node.argument, { ...around, owner: node });
    insert(node.end, '))');
  }

  function functionEdits(node, { owner }) {
    if (!node.async) {
      children(node).forEach((child) => visit(child, { isAsync: false, owner: node }));
      return;
    }
    if (node.generator) refuse(node, 'async generators are not supported: return an array');
    const used = uses(node.body);
    if (used.has('super')) refuse(node, '`super` in async methods is not supported');
    if (used.has('new.target')) refuse(node, '`new.target` in async functions is not supported');
    const keyword = isMethod(owner, node) ? owner.start + source.slice(owner.start, owner.key.start).lastIndexOf('async') : node.start;
    found.push([keyword, keyword + 'async'.length, '']);
    node.params.forEach((param) => visit(param, { isAsync: false, owner: node }));
    // The names of parameters are those of the generator as well, which may declare them again.
    const names = used.has('arguments') ? [] : node.params.flatMap(bound);
    const opening = `$$async((function*(${names.join(',')}){`;
    const closing = used.has('arguments') ? '}).apply(this,arguments))' : `}).call(${['this', ...names].join(',')}))`;
    const inside = { isAsync: true, owner: node };
    if (node.body.type === 'BlockStatement') {
      insert(node.body.start + 1, `return ${opening}`);
      children(node.body).forEach((child) => visit(child, inside));
      insert(node.body.end - 1, `${closing};`);
    } else {
      insert(node.body.start, `${opening}return (`);
      visit(node.body, inside);
      insert(node.body.end, `)${closing}`);
    }
  }
}

function isMethod(owner, node) {
  return owner?.value === node && (owner.type === 'MethodDefinition' || (owner.type === 'Property' && owner.method));
}

function isFunction(node) {
  return ['FunctionExpression', 'ArrowFunctionExpression', 'FunctionDeclaration'].includes(node.type);
}

/** What the body of a function uses of the function around it: `arguments`, `super`, `new.target`. */
function uses(node, found = new Set()) {
  if (node.type === 'Identifier' && node.name === 'arguments') found.add('arguments');
  if (node.type === 'Super') found.add('super');
  if (node.type === 'MetaProperty' && node.meta.name === 'new') found.add('new.target');
  children(node).forEach((child) => {
    if (!isFunction(child) || child.type === 'ArrowFunctionExpression') uses(child, found);
  });
  return found;
}

/** The names that a pattern binds. */
function bound(pattern) {
  switch (pattern.type) {
    case 'Identifier':
      return [pattern.name];
    case 'AssignmentPattern':
      return bound(pattern.left);
    case 'RestElement':
      return bound(pattern.argument);
    case 'ArrayPattern':
      return pattern.elements.filter(Boolean).flatMap(bound);
    default:
      return pattern.properties.flatMap((property) => bound(property.value ?? property.argument));
  }
}

/** The nodes below a node, in the order of the source. */
function children(node) {
  const found = [];
  for (const part of Object.values(node)) {
    for (const item of Array.isArray(part) ? part : [part]) {
      // A shorthand property has its name twice.
      if (typeof item?.type === 'string' && !found.includes(item)) found.push(item);
    }
  }
  return found.sort((one, other) => one.start - other.start);
}
