/** The mark of Longhaul. */
export function Mark() {
  return (
    <svg width="20" height="20" viewBox="0 0 32 32" aria-hidden="true" fill="none" strokeLinecap="round">
      <rect width="32" height="32" rx="7" fill="#0a5fd0" />
      <path d="M8 8v16h16" stroke="#fff" strokeWidth="3.5" strokeLinejoin="round" />
      <path d="M14 17h10M14 11h6" stroke="#9cc7ff" strokeWidth="3.5" />
    </svg>
  );
}
