import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { Component, lazy, type ReactNode, Suspense } from "react";
import { Route, Router, Switch } from "wouter";
import { ApiError } from "../api/errors";
import { type Session, useSessionQuery } from "../api/session";
import { FeedProvider } from "../feed/FeedProvider";
import { Overview } from "../overview/Overview";
import { TasksPage } from "../tasks/TasksPage";
import { Button } from "../ui/Button";
import { Empty, ErrorBox } from "../ui/ErrorBox";
import { Frame } from "./Frame";
import { PAGES } from "./pages";
import { SignIn } from "./SignIn";
import { SessionContext } from "./session-context";

const TaskPage = lazy(() => import("../task/TaskPage").then((module) => ({ default: module.TaskPage })));

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      // The feed says what changed; asking again without a change would only load the server.
      staleTime: 10_000,
      refetchOnWindowFocus: false,
      retry: (count, error) =>
        count < 2 && error instanceof ApiError && (error.status === 0 || error.status >= 500),
    },
  },
});

/** The whole page: it shows the sign-in until somebody is signed in, at whatever address it was opened. */
export function App() {
  return (
    <QueryClientProvider client={queries}>
      <Router base="/ui">
        <Gate />
      </Router>
    </QueryClientProvider>
  );
}

function Gate() {
  const session = useSessionQuery();
  if (session.isPending) return null;
  if (session.isError && !session.data) {
    return (
      <main style={{ maxWidth: 560, margin: "12vh auto", padding: 16 }}>
        <ErrorBox error={session.error}>
          <Button onPress={() => void session.refetch()}>Try again</Button>
        </ErrorBox>
      </main>
    );
  }
  return session.data ? <SignedIn session={session.data} /> : <SignIn />;
}

function SignedIn({ session }: { session: Session }) {
  return (
    <SessionContext value={session}>
      <FeedProvider>
        <Frame>
          <PageFault>
            <Suspense fallback={null}>
              <Switch>
                <Route path="/" component={Overview} />
                <Route path="/tasks" component={TasksPage} />
                <Route path="/tasks/:id">{({ id }) => <TaskPage key={id} id={id} />}</Route>
                {PAGES.map(([path, page]) => (
                  <Route key={path} path={path} component={page} />
                ))}
                <Route>
                  <Empty title="There is no page at this address.">
                    <p>The navigation above leads to those that there are.</p>
                  </Empty>
                </Route>
              </Switch>
            </Suspense>
          </PageFault>
        </Frame>
      </FeedProvider>
    </SessionContext>
  );
}

/** Shows a fault of the page itself where it happened, so that the frame stays usable. */
class PageFault extends Component<{ children: ReactNode }, { error: unknown }> {
  override state = { error: undefined as unknown };
  static getDerivedStateFromError(error: unknown) {
    return { error };
  }
  override render() {
    if (this.state.error === undefined) return this.props.children;
    return (
      <ErrorBox error={this.state.error}>
        <p>This part of the page failed; the server is not concerned.</p>
        <Button onPress={() => location.reload()}>Load the page again</Button>
      </ErrorBox>
    );
  }
}
