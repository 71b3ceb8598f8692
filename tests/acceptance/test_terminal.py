"""A person watches: one bar with what matters, nothing cut, nothing left behind; and plain lines for a log."""

from __future__ import annotations


def test_a_run_in_a_terminal_shows_a_bar_with_states_systems_steps_and_what_workers_do(shop):
    shop.write({"rules/20_order/no_one.sql": "select unit_key, 'no ones' as reason from legacy.customers where id = 1"})
    window = shop.terminal("run", "job", GATE=str(shop.gate))
    window.read("0.0%")
    assert "━" in window.text
    window.read("1 worker: steps")  # what the worker says of itself comes with its heartbeat
    assert "0 done, 8 pending, of 8 units" in window.text
    shop.gate.touch()
    assert window.end() == 3
    shown = window.text
    assert "left" in shown
    assert "units/s" in shown
    last = shown[shown.rindex("table ") :]
    assert "completed_with_exceptions" in last
    assert "7 moved, 1 quarantined, 0 pending" in last
    assert all(len(line) <= 80 for line in last.splitlines())


def test_the_bar_counts_by_state_system_and_step(shop):
    """The second chunk waits at the gate while the first is done."""
    shop.write({"rules/20_order/no_one.sql": "select unit_key, 'no ones' as reason from legacy.customers where id = 1"})
    shop.change("steps/30_visit/billing.visit.py", 'if os.environ.get("GATE"):', "if unit.customers[0].id > 2:")
    window = shop.terminal("run", "job", GATE=str(shop.gate))
    for part in (
        " 25.0%",
        "1 done, 1 quarantined, 6 pending, of 8 units",
        "written: billing 3",
        "set aside by: 20_order/no_one 1",
        "1 worker: steps",
    ):
        window.read(part)
    window.type(b"\x03")  # Ctrl-C: the terminal tells everybody in the foreground
    window.read("press Ctrl-C again")
    shop.until(lambda: shop.site.repository.views.runs()[0].state == "stopping", "the run is stopping")
    shop.gate.touch()
    assert window.end() == 4
    assert "4 pending" in window.text[window.text.rindex("stopped") :]


def test_a_long_job_name_does_not_break_the_id_of_its_run(shop):
    name = "customers-of-the-northern-region-without-prepaid"
    shop.change("job.yaml", "name: shop", f"name: {name}")
    shop.change("job.yaml", "chunk_units: 2", "chunk_units: 8")
    assert shop.ludb("run", "job").code == 0
    window = shop.terminal("runs", "--job", "job", columns=80)
    assert window.end() == 0
    run = shop.site.repository.views.runs()[0].id
    assert any(line.startswith(f"{run}  completed") for line in window.text.splitlines())
    assert "8 units: 8 moved" in window.text
