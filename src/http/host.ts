const pattern = /^(?:[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?$/;

/** True for a host name or address with an optional port: what a Host header may hold. */
export function isHost(text: string): boolean {
  return pattern.test(text);
}
