// Which of a name's versions counts, and which one waits for someone.

export const isPrerelease = (version) => version.split("+")[0].includes("-");

/** Whether the name alone may stand for it. */
const isCurrent = ({ accepted, version }) => accepted && !isPrerelease(version);

/**
 * Of the versions, the last one first: `current`, for which the name stands; `waiting`, the last one after it that is not accepted; and
 * `older`, the accepted one with which the server compares that.
 */
export function gate(versions) {
  const current = versions.find(isCurrent);
  const newer = current ? versions.slice(0, versions.indexOf(current)) : versions;
  const waiting = newer.find((version) => !version.accepted);
  const before = waiting ? versions.slice(versions.indexOf(waiting) + 1) : [];
  const older = waiting && (before.find((version) => version.accepted) ?? versions.findLast((version) => version.accepted));
  return { current, waiting, older };
}
