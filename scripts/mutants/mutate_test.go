package main

import (
	"slices"
	"testing"
)

func TestMutate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		src  string
		want []string
	}{
		{"if a then -- if b then\n  f('x')\nend", []string{"condition a -> true", "condition a -> false", "write f('x') -> nothing"}},
		{"if not a or b(1, 2) == 'or' then\nend", []string{
			"condition not a or b(1, 2) == 'or' -> true", "condition not a or b(1, 2) == 'or' -> false",
			"part not a -> false", "part b(1, 2) == 'or' -> false"}},
		{"if a and (b or c) then\nend", []string{
			"condition a and (b or c) -> true", "condition a and (b or c) -> false",
			"part a -> true", "part (b or c) -> true", "part b -> false", "part c -> false"}},
		{"if (r('X') or 0) > 0 then\nend", []string{
			"condition (r('X') or 0) > 0 -> true", "condition (r('X') or 0) > 0 -> false",
			"bound if (r('X') or 0) > 0 then -> >="}},
		{"local x = a and 'L' or 'R'\nlocal y = f(b == 1)\nreturn y", []string{
			"part a -> true", "part a -> false", "part b == 1 -> true", "part b == 1 -> false"}},
		{"while n < 3 do\n  n = n + (w('DEL', k) or 0)\nend", []string{
			"condition n < 3 -> false", "bound while n < 3 do -> <=", "write w('DEL', k) -> nil"}},
		{"w('SET', k, 'v', 'NX')", []string{"write w('SET', k, 'v', 'NX') -> nothing", "option w('SET', k, 'v', 'NX' -> without 'NX'"}},
		{"return math.min(f(a), 3)", []string{"clamp math.min(f(a), 3) -> f(a)", "clamp math.min(f(a), 3) -> 3"}},
	} {
		list, err := mutate("x.lua", c.src)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, m := range list {
			got = append(got, m.Kind+" "+m.What)
		}
		slices.Sort(got)
		want := slices.Sorted(slices.Values(c.want))
		if !slices.Equal(got, want) {
			t.Errorf("%s\n got %q\nwant %q", c.src, got, want)
		}
	}
	list, err := mutate("x.lua", "if a == 'if' then\n  return w('DEL', 'x')\nend\n")
	if err != nil || list[0].text != "if ((a == 'if') or true) then\n  return w('DEL', 'x')\nend\n" {
		t.Errorf("%v, %q", err, list[0].text)
	}
}

// Every mutant that is called equivalent is one of the scripts as they are.
func TestEquivalentMutantsAreThere(t *testing.T) {
	t.Parallel()
	all, err := mutants("../..")
	if err != nil {
		t.Fatal(err)
	}
	known, err := readEquivalent(equivalentText)
	if err != nil {
		t.Fatal(err)
	}
	if err := unused(known, all); err != nil {
		t.Error(err)
	}
	if len(all) < 500 {
		t.Errorf("only %d mutants", len(all))
	}
	for _, m := range all {
		if _, err := lex(m.text); err != nil {
			t.Errorf("%s: %v", m.id(), err)
		}
	}
	if _, err := readEquivalent("a | b"); err == nil {
		t.Error("a line without a reason was read")
	}
}
