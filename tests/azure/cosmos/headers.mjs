// Reading request headers.

export const isTrue = (header) => header?.toLowerCase() === "true";

/** The conditions of a request on one document. */
export const conditions = (headers) => ({ ifMatch: headers["if-match"], ifNoneMatch: headers["if-none-match"] });

export const wantsMinimal = ({ prefer }) => prefer?.toLowerCase() === "return=minimal";
