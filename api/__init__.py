"""The service: HTTP resources, the job runner and the planner's page. The work itself is done by ``sufficiency.workflow``.

How it hangs together
---------------------
``settings.py``  one ``Settings`` (environment ``SUFFICIENCY_...``); nothing else reads the environment.
``app.py``       ``create_app(settings) -> FastAPI``: middleware, error handlers, routers under ``/v1``. ``python -m api`` runs it.
``state.py``     what a route may ask for: ``StoreDep``, ``SettingsDep``, ``Caller`` (the ``Principal`` of the request).
``problems.py``  every error is a problem document (RFC 9457). A route raises ``ApiError(status, slug, detail)`` or one of its short
                 forms (``not_found``, ``conflict``, ``too_many``); ``InputError`` of the planner's world becomes a 422 with every problem.
``auth/``        who asks and what they may do: ``current_principal``, ``permit(principal, action, resource)``.
``store/``       tables (SQLAlchemy, migrations by alembic) and files. ``with store.read() as session`` and
                 ``with store.write() as session``; the latter commits when the block ends, so a route answers after the commit.
``shown.py``     the only way out for figures of a case or plan: what may be shown under the case's disclosure profile.
``large.py``     tables of 100,000 rows and more as mapped columns, so that a page reads its own rows and no others.
``warm.py``      loads what the first answers need before the service is ready.
``jobs/``        queue, worker process, the child process in which one plan is made, and the same on a Dask scheduler.
``routes/``      one module per resource; each has a ``router`` that ``app.py`` mounts.

A route
-------
::

    router = APIRouter(prefix="/plans", tags=["plans"], route_class=ConditionalRoute)

    @router.get("/{plan_id}", responses=problems(401, 403, 404), summary="A plan")
    def read(plan_id: str, store: StoreDep, caller: Caller) -> PlanBody:
        with store.read() as session:
            plan = rows.find(session, PlanRow, plan_id, caller)     # 404 when it is not there, or is another council's
            permit(caller, "read", rows.scoped(session, plan))      # 403 when the role does not allow it
            return PlanBody.of(plan)

Every row bears ``owner``, ``scope_id`` (its set of councils) and ``partnership``; ``store.scope.visible(Model, principal)`` is the
filter for queries. Lists go page by page (``rows.page``). Routes are plain functions: the framework runs them in threads. Routers take
``ConditionalRoute``, so that GET answers bear an ETag; a POST that makes something takes ``OnceDep`` for its idempotency key.

A run
-----
``runs.enqueue`` stores it, then 202 is answered. The worker process claims one run by one UPDATE (state, worker, attempt, lease),
starts ``python -m api.jobs.child`` and keeps the lease alive. The result is written to a temporary folder, moved in whole, and
accepted only while the claim (worker and attempt) still holds, so a run ends once.
"""
