// The functions of a source, found in its syntax tree. Nothing is executed.

import { parse } from 'acorn';

import { edits } from './asynchronous.js';
import { Failed } from './failure.js';

/** The functions at the top level, and the source as a script that can be evaluated. */
export function analyse(source) {
  const comments = [];
  let tree;
  try {
    tree = parse(source, { ecmaVersion: 'latest', sourceType: 'module', locations: true, onComment: comments });
  } catch (error) {
    if (!(error instanceof SyntaxError) || !error.loc) throw error;
    throw mistake(source, error.message.replace(/ \(\d+:\d+\)$/, ''), error.loc);
  }
  const found = new Map();
  const exported = new Map();
  const blanks = [];
  for (const statement of tree.body) {
    visit(statement);
  }
  if (/\b(?:async|await)\b/.test(source)) {
    const refuse = (node, message) => {
      throw mistake(source, message, node.loc.start);
    };
    blanks.push(...edits(tree, source, refuse));
    // Edits of one place stay in their order.
    blanks.sort((one, other) => one[0] - other[0]);
  }
  return { functions: found, exported, comments, script: blanked(source, blanks) };

  function visit(statement) {
    switch (statement.type) {
      case 'ImportDeclaration':
        throw mistake(source, 'a task file cannot import other files', statement.loc.start);
      case 'ExportAllDeclaration':
        throw mistake(source, 'a task file cannot import other files', statement.loc.start);
      case 'ExportNamedDeclaration':
        if (statement.source) throw mistake(source, 'a task file cannot import other files', statement.loc.start);
        for (const { local, exported: name } of statement.specifiers) {
          exported.set(name.name ?? name.value, local.name);
        }
        if (statement.declaration) {
          blanks.push([statement.start, statement.declaration.start]);
          declared(statement.declaration, true, statement);
        } else {
          blanks.push([statement.start, statement.end]);
        }
        break;
      case 'ExportDefaultDeclaration': {
        const { declaration } = statement;
        if (declaration.id) {
          blanks.push([statement.start, declaration.start]);
          declared(declaration, false, statement);
          exported.set('default', declaration.id.name);
        } else {
          // An expression needs a name: the text keeps its length where it can, and its lines in any case.
          blanks.push([statement.start, declaration.start, 'var $default = ']);
          exported.set('default', '$default');
          if (isFunction(declaration)) found.set('$default', { node: declaration, from: statement });
        }
        break;
      }
      default:
        declared(statement, false, statement);
    }
  }

  function declared(declaration, isExported, from) {
    if (declaration.type === 'FunctionDeclaration' || declaration.type === 'ClassDeclaration') {
      const { name } = declaration.id;
      if (declaration.type === 'FunctionDeclaration') found.set(name, { node: declaration, from });
      if (isExported) exported.set(name, name);
    } else if (declaration.type === 'VariableDeclaration') {
      for (const { id, init } of declaration.declarations) {
        if (id.type !== 'Identifier') continue;
        if (init && isFunction(init)) found.set(id.name, { node: init, from });
        if (isExported) exported.set(id.name, id.name);
      }
    }
  }
}

/** The functions of a source: what it exports, or all at its top level if it exports nothing. */
export function describe(source) {
  const analysed = analyse(source);
  return [...callable(analysed)].flatMap(([name, local]) => {
    const entry = analysed.functions.get(local);
    return entry ? [described(name, entry, source, analysed.comments)] : [];
  });
}

/** The names by which functions can be called, and the names that they have in the script. */
export function callable({ functions, exported }) {
  return exported.size > 0 ? exported : new Map([...functions.keys()].map((name) => [name, name]));
}

function described(name, { node, from }, source, comments) {
  const parameters = node.params.map((param, index) => parameter(param, index, source));
  return { name, parameters, returns: undefined, doc: documentation(from, source, comments), line: node.loc.start.line };
}

function parameter(param, index, source) {
  const passing = param.type === 'RestElement' ? 'rest' : 'either';
  const target = param.type === 'AssignmentPattern' ? param.left : (param.argument ?? param);
  const name = target.type === 'Identifier' ? target.name : `arg${index}`;
  const text = param.type === 'AssignmentPattern' ? source.slice(param.right.start, param.right.end) : undefined;
  return { name, passing, declared: undefined, default: text };
}

/** The text of a comment of the form `/** … *\/` that ends right before a statement. */
function documentation(statement, source, comments) {
  const comment = comments.findLast(({ end }) => end <= statement.start);
  const isAttached = comment?.type === 'Block' && comment.value.startsWith('*') && source.slice(comment.end, statement.start).trim() === '';
  if (!isAttached) return undefined;
  const lines = comment.value.slice(1).split('\n').map((line) => line.replace(/^\s*\* ?/, '').trimEnd());
  return lines.join('\n').trim() || undefined;
}

function isFunction(node) {
  return ['FunctionExpression', 'ArrowFunctionExpression', 'FunctionDeclaration'].includes(node.type);
}

/** A source in which some ranges are spaces, or another text. Lines stay where they are. */
function blanked(source, ranges) {
  let script = '';
  let at = 0;
  for (const [start, end, text = ''] of ranges) {
    const spaces = source.slice(start, end).replace(/[^\n]/g, ' ');
    script += source.slice(at, start) + text + spaces.slice(Math.min(text.length, spaces.search(/\n|$/)));
    at = end;
  }
  return script + source.slice(at);
}

export function mistake(source, message, { line, column }) {
  return new Failed('syntax', { message, line, column: column + 1, text: source.split('\n')[line - 1] ?? '' });
}
