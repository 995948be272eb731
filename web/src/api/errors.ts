import type { components } from "./schema";

/** An error as the API writes it. */
export type ErrorDocument = components["schemas"]["Error"];

/** A request that the server refused, or that did not reach it. */
export class ApiError extends Error {
  /** Status of the answer; 0 when there was none. */
  readonly status: number;
  readonly code: string;
  readonly remediation: string | undefined;
  /** Six characters that the server's log has, too. */
  readonly reference: string | undefined;
  /** Faults of single values of the request. */
  readonly nested: readonly ErrorDocument[];

  constructor(status: number, document: Partial<ErrorDocument> | undefined) {
    super(document?.message ?? `the server answered with status ${status} and no explanation`);
    this.name = "ApiError";
    this.status = status;
    this.code = document?.errorCode ?? `HTTP_${status}`;
    this.remediation = document?.remediationMessage;
    this.reference = document?.referenceToken;
    this.nested = document?.nestedErrors ?? [];
  }

  /** An error for a server that did not answer. */
  static unreachable(cause: unknown): ApiError {
    const error = new ApiError(0, {
      errorCode: "NO_ANSWER",
      message: "the server does not answer",
      remediationMessage:
        "Check that it runs and that the network reaches it; nothing was changed by the page",
    });
    error.cause = cause;
    return error;
  }
}

/** Any thrown value as an `ApiError`. */
export function toApiError(value: unknown): ApiError {
  if (value instanceof ApiError) return value;
  return new ApiError(0, {
    errorCode: "PAGE_ERROR",
    message: value instanceof Error ? value.message : String(value),
  });
}
