/** Clusters in which nobody should expose by mistake. Pure. */

/** Says whether a name has "prod" or "production" as a whole word in it: "prod", "eu-prod-1", "Production"; not "product". */
export function isProtected(...names: readonly string[]): boolean {
  return names.some((name) => /(^|[^a-z0-9])(prod|production)([^a-z0-9]|$)/i.test(name));
}
