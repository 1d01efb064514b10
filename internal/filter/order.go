package filter

import (
	"cmp"
	"slices"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/parser"
)

// visited is the function that every walk over a list or over the keys of a map
// begins with: Go, and CEL with it, visits a map in another order each time, so
// that a filter could match here and not there. Nobody can call it by this name,
// which the compiler says where there is neither.
const visited = "the elements or keys of"

const (
	visitedList = "visited_list"
	visitedMap  = "visited_map"
)

// inOrder has maps visited in the order of their keys.
func inOrder() []cel.EnvOption {
	key, value := cel.TypeParamType("K"), cel.TypeParamType("V")
	return []cel.EnvOption{
		cel.ClearMacros(),
		cel.Macros(orderedMacros()...),
		cel.Function(visited,
			cel.Overload(visitedList, []*cel.Type{cel.ListType(key)}, cel.ListType(key)),
			cel.Overload(visitedMap, []*cel.Type{cel.MapType(key, value)}, cel.ListType(key)),
			cel.SingletonUnaryBinding(visit),
		),
	}
}

// paid is what sorting keys costs: a unit each, and the walk over them is paid for
// besides.
func paid() cel.ProgramOption {
	return cel.CostTrackerOptions(cost.OverloadTracker(visitedMap, func(args []ref.Val, _ ref.Val) *uint64 {
		return new(1 + size(args[0]))
	}), cost.OverloadTracker(visitedList, func([]ref.Val, ref.Val) *uint64 {
		return new(uint64(1))
	}), matched())
}

func size(of ref.Val) uint64 {
	if m, ok := of.(traits.Mapper); ok {
		if n, ok := m.Size().(types.Int); ok && n > 0 {
			return uint64(n)
		}
	}
	return 0
}

// orderedMacros are the standard ones, each over what is visited in order.
func orderedMacros() []cel.Macro {
	macros := []cel.Macro{cel.HasMacro}
	for _, m := range []cel.Macro{
		cel.AllMacro, cel.ExistsMacro, cel.ExistsOneMacro, cel.MapMacro, cel.MapFilterMacro, cel.FilterMacro,
	} {
		macros = append(macros, cel.ReceiverMacro(m.Function(), m.ArgCount(),
			func(eh parser.ExprHelper, target ast.Expr, args []ast.Expr) (ast.Expr, *common.Error) {
				return m.Expander()(eh, eh.NewCall(visited, target), args)
			}))
	}
	return macros
}

// visit gives the keys of a map in order, and a list as it is.
func visit(of ref.Val) ref.Val {
	switch of := of.(type) {
	case traits.Mapper:
		var keys []ref.Val
		for it := of.Iterator(); it.HasNext() == types.True; {
			keys = append(keys, it.Next())
		}
		slices.SortFunc(keys, compare)
		return types.NewRefValList(types.DefaultTypeAdapter, keys)
	case traits.Lister:
		return of
	default:
		return types.MaybeNoSuchOverloadErr(of)
	}
}

// compare orders keys by type, and then by value.
func compare(a, b ref.Val) int {
	if a.Type() != b.Type() {
		return cmp.Compare(a.Type().TypeName(), b.Type().TypeName())
	}
	if a, ok := a.(traits.Comparer); ok {
		if order, ok := a.Compare(b).(types.Int); ok {
			return int(order)
		}
	}
	return 0
}
