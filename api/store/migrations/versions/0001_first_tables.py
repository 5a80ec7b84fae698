"""First tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "assumption_sets",
        sa.Column("values", sa.JSON(), nullable=False),
        sa.Column("note", sa.String(length=2000), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("owner", sa.String(length=255), nullable=False),
        sa.Column("scope_id", sa.String(length=40), nullable=False),
        sa.Column("partnership", sa.String(length=100), nullable=True),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_assumption_sets_created_at"), "assumption_sets", ["created_at"], unique=False)
    op.create_index(op.f("ix_assumption_sets_owner"), "assumption_sets", ["owner"], unique=False)
    op.create_index(op.f("ix_assumption_sets_partnership"), "assumption_sets", ["partnership"], unique=False)
    op.create_index(op.f("ix_assumption_sets_scope_id"), "assumption_sets", ["scope_id"], unique=False)
    op.create_table(
        "batches",
        sa.Column("runs_asked", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("owner", sa.String(length=255), nullable=False),
        sa.Column("scope_id", sa.String(length=40), nullable=False),
        sa.Column("partnership", sa.String(length=100), nullable=True),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_batches_created_at"), "batches", ["created_at"], unique=False)
    op.create_index(op.f("ix_batches_owner"), "batches", ["owner"], unique=False)
    op.create_index(op.f("ix_batches_partnership"), "batches", ["partnership"], unique=False)
    op.create_index(op.f("ix_batches_scope_id"), "batches", ["scope_id"], unique=False)
    op.create_table(
        "cases",
        sa.Column("series_id", sa.String(length=40), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("disclosure", sa.String(length=20), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("files", sa.JSON(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("about", sa.JSON(), nullable=False),
        sa.Column("warnings", sa.JSON(), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("owner", sa.String(length=255), nullable=False),
        sa.Column("scope_id", sa.String(length=40), nullable=False),
        sa.Column("partnership", sa.String(length=100), nullable=True),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_cases_created_at"), "cases", ["created_at"], unique=False)
    op.create_index(op.f("ix_cases_owner"), "cases", ["owner"], unique=False)
    op.create_index(op.f("ix_cases_partnership"), "cases", ["partnership"], unique=False)
    op.create_index(op.f("ix_cases_scope_id"), "cases", ["scope_id"], unique=False)
    op.create_index(op.f("ix_cases_series_id"), "cases", ["series_id"], unique=False)
    op.create_table(
        "idempotent_answers",
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("request_sha256", sa.String(length=64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("headers", sa.JSON(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("subject", "key"),
    )
    op.create_index(op.f("ix_idempotent_answers_created_at"), "idempotent_answers", ["created_at"], unique=False)
    op.create_table(
        "scope_councils",
        sa.Column("scope_id", sa.String(length=40), nullable=False),
        sa.Column("council_code", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("scope_id", "council_code"),
    )
    op.create_index(op.f("ix_scope_councils_council_code"), "scope_councils", ["council_code"], unique=False)
    op.create_table(
        "plan_requests",
        sa.Column("case_id", sa.String(length=40), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("base_plan_id", sa.String(length=40), nullable=True),
        sa.Column("changes", sa.JSON(), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("owner", sa.String(length=255), nullable=False),
        sa.Column("scope_id", sa.String(length=40), nullable=False),
        sa.Column("partnership", sa.String(length=100), nullable=True),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id"],
            ["cases.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_plan_requests_base_plan_id"), "plan_requests", ["base_plan_id"], unique=False)
    op.create_index(op.f("ix_plan_requests_case_id"), "plan_requests", ["case_id"], unique=False)
    op.create_index(op.f("ix_plan_requests_created_at"), "plan_requests", ["created_at"], unique=False)
    op.create_index(op.f("ix_plan_requests_owner"), "plan_requests", ["owner"], unique=False)
    op.create_index(op.f("ix_plan_requests_partnership"), "plan_requests", ["partnership"], unique=False)
    op.create_index(op.f("ix_plan_requests_scope_id"), "plan_requests", ["scope_id"], unique=False)
    op.create_table(
        "plans",
        sa.Column("case_id", sa.String(length=40), nullable=False),
        sa.Column("request_id", sa.String(length=40), nullable=False),
        sa.Column("run_id", sa.String(length=40), nullable=False),
        sa.Column("disclosure", sa.String(length=20), nullable=False),
        sa.Column("summary", sa.JSON(), nullable=False),
        sa.Column("audit_passed", sa.Boolean(), nullable=False),
        sa.Column("approved_by", sa.String(length=255), nullable=True),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("owner", sa.String(length=255), nullable=False),
        sa.Column("scope_id", sa.String(length=40), nullable=False),
        sa.Column("partnership", sa.String(length=100), nullable=True),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id"],
            ["cases.id"],
        ),
        sa.ForeignKeyConstraint(
            ["request_id"],
            ["plan_requests.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("run_id"),
    )
    op.create_index(op.f("ix_plans_case_id"), "plans", ["case_id"], unique=False)
    op.create_index(op.f("ix_plans_created_at"), "plans", ["created_at"], unique=False)
    op.create_index(op.f("ix_plans_owner"), "plans", ["owner"], unique=False)
    op.create_index(op.f("ix_plans_partnership"), "plans", ["partnership"], unique=False)
    op.create_index(op.f("ix_plans_request_id"), "plans", ["request_id"], unique=False)
    op.create_index(op.f("ix_plans_scope_id"), "plans", ["scope_id"], unique=False)
    op.create_table(
        "runs",
        sa.Column("case_id", sa.String(length=40), nullable=False),
        sa.Column("request_id", sa.String(length=40), nullable=False),
        sa.Column("batch_id", sa.String(length=40), nullable=True),
        sa.Column("retry_of", sa.String(length=40), nullable=True),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("worker", sa.String(length=120), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancel_asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("phase", sa.String(length=200), nullable=False),
        sa.Column("incumbent_gbp", sa.Float(precision=53), nullable=True),
        sa.Column("bound_gbp", sa.Float(precision=53), nullable=True),
        sa.Column("failure", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("plan_id", sa.String(length=40), nullable=True),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("owner", sa.String(length=255), nullable=False),
        sa.Column("scope_id", sa.String(length=40), nullable=False),
        sa.Column("partnership", sa.String(length=100), nullable=True),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["batch_id"],
            ["batches.id"],
        ),
        sa.ForeignKeyConstraint(
            ["case_id"],
            ["cases.id"],
        ),
        sa.ForeignKeyConstraint(
            ["request_id"],
            ["plan_requests.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_runs_batch_id"), "runs", ["batch_id"], unique=False)
    op.create_index(op.f("ix_runs_case_id"), "runs", ["case_id"], unique=False)
    op.create_index(op.f("ix_runs_created_at"), "runs", ["created_at"], unique=False)
    op.create_index(op.f("ix_runs_owner"), "runs", ["owner"], unique=False)
    op.create_index(op.f("ix_runs_partnership"), "runs", ["partnership"], unique=False)
    op.create_index(op.f("ix_runs_request_id"), "runs", ["request_id"], unique=False)
    op.create_index(op.f("ix_runs_scope_id"), "runs", ["scope_id"], unique=False)
    op.create_index("ix_runs_state_created_at", "runs", ["state", "created_at"], unique=False)
    op.create_table(
        "comparisons",
        sa.Column("first_plan_id", sa.String(length=40), nullable=False),
        sa.Column("second_plan_id", sa.String(length=40), nullable=False),
        sa.Column("result", sa.JSON(), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("owner", sa.String(length=255), nullable=False),
        sa.Column("scope_id", sa.String(length=40), nullable=False),
        sa.Column("partnership", sa.String(length=100), nullable=True),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["first_plan_id"],
            ["plans.id"],
        ),
        sa.ForeignKeyConstraint(
            ["second_plan_id"],
            ["plans.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_comparisons_created_at"), "comparisons", ["created_at"], unique=False)
    op.create_index(op.f("ix_comparisons_first_plan_id"), "comparisons", ["first_plan_id"], unique=False)
    op.create_index(op.f("ix_comparisons_owner"), "comparisons", ["owner"], unique=False)
    op.create_index(op.f("ix_comparisons_partnership"), "comparisons", ["partnership"], unique=False)
    op.create_index(op.f("ix_comparisons_scope_id"), "comparisons", ["scope_id"], unique=False)
    op.create_index(op.f("ix_comparisons_second_plan_id"), "comparisons", ["second_plan_id"], unique=False)
    op.create_table(
        "run_events",
        sa.Column("run_id", sa.String(length=40), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("what", sa.String(length=20), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "number"),
    )


def downgrade() -> None:
    op.drop_table("run_events")
    op.drop_index(op.f("ix_comparisons_second_plan_id"), table_name="comparisons")
    op.drop_index(op.f("ix_comparisons_scope_id"), table_name="comparisons")
    op.drop_index(op.f("ix_comparisons_partnership"), table_name="comparisons")
    op.drop_index(op.f("ix_comparisons_owner"), table_name="comparisons")
    op.drop_index(op.f("ix_comparisons_first_plan_id"), table_name="comparisons")
    op.drop_index(op.f("ix_comparisons_created_at"), table_name="comparisons")
    op.drop_table("comparisons")
    op.drop_index("ix_runs_state_created_at", table_name="runs")
    op.drop_index(op.f("ix_runs_scope_id"), table_name="runs")
    op.drop_index(op.f("ix_runs_request_id"), table_name="runs")
    op.drop_index(op.f("ix_runs_partnership"), table_name="runs")
    op.drop_index(op.f("ix_runs_owner"), table_name="runs")
    op.drop_index(op.f("ix_runs_created_at"), table_name="runs")
    op.drop_index(op.f("ix_runs_case_id"), table_name="runs")
    op.drop_index(op.f("ix_runs_batch_id"), table_name="runs")
    op.drop_table("runs")
    op.drop_index(op.f("ix_plans_scope_id"), table_name="plans")
    op.drop_index(op.f("ix_plans_request_id"), table_name="plans")
    op.drop_index(op.f("ix_plans_partnership"), table_name="plans")
    op.drop_index(op.f("ix_plans_owner"), table_name="plans")
    op.drop_index(op.f("ix_plans_created_at"), table_name="plans")
    op.drop_index(op.f("ix_plans_case_id"), table_name="plans")
    op.drop_table("plans")
    op.drop_index(op.f("ix_plan_requests_scope_id"), table_name="plan_requests")
    op.drop_index(op.f("ix_plan_requests_partnership"), table_name="plan_requests")
    op.drop_index(op.f("ix_plan_requests_owner"), table_name="plan_requests")
    op.drop_index(op.f("ix_plan_requests_created_at"), table_name="plan_requests")
    op.drop_index(op.f("ix_plan_requests_case_id"), table_name="plan_requests")
    op.drop_index(op.f("ix_plan_requests_base_plan_id"), table_name="plan_requests")
    op.drop_table("plan_requests")
    op.drop_index(op.f("ix_scope_councils_council_code"), table_name="scope_councils")
    op.drop_table("scope_councils")
    op.drop_index(op.f("ix_idempotent_answers_created_at"), table_name="idempotent_answers")
    op.drop_table("idempotent_answers")
    op.drop_index(op.f("ix_cases_series_id"), table_name="cases")
    op.drop_index(op.f("ix_cases_scope_id"), table_name="cases")
    op.drop_index(op.f("ix_cases_partnership"), table_name="cases")
    op.drop_index(op.f("ix_cases_owner"), table_name="cases")
    op.drop_index(op.f("ix_cases_created_at"), table_name="cases")
    op.drop_table("cases")
    op.drop_index(op.f("ix_batches_scope_id"), table_name="batches")
    op.drop_index(op.f("ix_batches_partnership"), table_name="batches")
    op.drop_index(op.f("ix_batches_owner"), table_name="batches")
    op.drop_index(op.f("ix_batches_created_at"), table_name="batches")
    op.drop_table("batches")
    op.drop_index(op.f("ix_assumption_sets_scope_id"), table_name="assumption_sets")
    op.drop_index(op.f("ix_assumption_sets_partnership"), table_name="assumption_sets")
    op.drop_index(op.f("ix_assumption_sets_owner"), table_name="assumption_sets")
    op.drop_index(op.f("ix_assumption_sets_created_at"), table_name="assumption_sets")
    op.drop_table("assumption_sets")
