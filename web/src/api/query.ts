/** Query parameters as the API reads them. */

/** Lists that are given as one parameter for each element; all others are one value with commas. */
const REPEATED = ["label"];

/** The query string of `query`; what is undefined or null is left out. */
export function queryString(query: object): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined || value === null) continue;
    if (Array.isArray(value) && REPEATED.includes(name)) {
      for (const each of value) params.append(name, String(each));
    } else params.append(name, String(value));
  }
  return params.toString();
}
