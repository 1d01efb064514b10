package filter

import (
	"fmt"
	"regexp/syntax"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/parser"
)

// Matching takes at most as many steps as the text has characters times the pattern has
// instructions (https://swtch.com/~rsc/regexp/regexp3.html). CEL pays for it
// afterwards, and too little, so that both are bounded beforehand.
const (
	// maxInstructions is how large a pattern may be when it is compiled; [a-z]+ has 5.
	maxInstructions = 500
	// maxSteps bounds one match: about two milliseconds.
	maxSteps = 100_000
	// stepsPerUnit is how many steps cost as much as a comparison.
	stepsPerUnit = 50
)

// tooLong is the function that a match on too long a text becomes. Nobody can call
// it by this name.
const tooLong = "a text that is short enough for the pattern"

// patterns has matches take patterns that are written out, and no more text than
// they can be tried on in time.
func patterns() []cel.EnvOption {
	return []cel.EnvOption{
		cel.Macros(
			cel.ReceiverMacro(overloads.Matches, 1, func(eh parser.ExprHelper, target ast.Expr, args []ast.Expr) (ast.Expr, *common.Error) {
				return bounded(eh, target, args[0])
			}),
			cel.GlobalMacro(overloads.Matches, 2, func(eh parser.ExprHelper, _ ast.Expr, args []ast.Expr) (ast.Expr, *common.Error) {
				return bounded(eh, args[0], args[1])
			}),
		),
		cel.Function(tooLong, cel.Overload("too_long", []*cel.Type{cel.IntType}, cel.BoolType,
			cel.UnaryBinding(func(most ref.Val) ref.Val {
				return types.NewErr("a text is longer than the %v characters that its pattern is tried on", most)
			}))),
	}
}

// bounded is: size(text) is small enough ? text.matches(pattern) : an error.
func bounded(eh parser.ExprHelper, text, pattern ast.Expr) (ast.Expr, *common.Error) {
	if pattern.Kind() != ast.LiteralKind || pattern.AsLiteral().Type() != types.StringType {
		return nil, eh.NewError(pattern.ID(), "the pattern of matches is a string that is written out")
	}
	written, _ := pattern.AsLiteral().Value().(string)
	n, err := instructions(written)
	if err != nil {
		return nil, eh.NewError(pattern.ID(), fmt.Sprintf("the pattern of matches: %v", err))
	}
	if n > maxInstructions {
		return nil, eh.NewError(pattern.ID(), fmt.Sprintf("the pattern of matches is too large: %d instructions, of at most %d", n, maxInstructions))
	}
	most := eh.NewLiteral(types.Int(maxSteps / n))
	return eh.NewCall(operators.Conditional,
		eh.NewCall(operators.LessEquals, eh.NewCall(overloads.Size, eh.Copy(text)), most),
		eh.NewMemberCall(overloads.Matches, text, pattern),
		eh.NewCall(tooLong, eh.Copy(most)),
	), nil
}

// matched is what a match costs: see maxSteps.
func matched() cost.TrackerOption {
	return cost.OverloadTracker(overloads.MatchesString, func(args []ref.Val, _ ref.Val) *uint64 {
		pattern, _ := args[1].Value().(string)
		n, err := instructions(pattern)
		if err != nil {
			n = maxInstructions
		}
		text := uint64(0)
		if sized, ok := args[0].(traits.Sizer); ok {
			if size, ok := sized.Size().(types.Int); ok && size > 0 {
				text = uint64(size)
			}
		}
		return new(1 + text*uint64(n)/stepsPerUnit)
	})
}

// sizes are those of patterns that were asked for; as many are kept as programs.
var sizes = struct {
	mu   sync.Mutex
	kept map[string]int
}{kept: map[string]int{}}

// instructions is how large a pattern is when it is compiled. What cannot be small
// is not compiled to see.
func instructions(pattern string) (int, error) {
	sizes.mu.Lock()
	n, known := sizes.kept[pattern]
	sizes.mu.Unlock()
	if known {
		return n, nil
	}
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return 0, err
	}
	if least := nodes(parsed); least > 4*maxInstructions {
		return least, nil
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return 0, err
	}
	sizes.mu.Lock()
	defer sizes.mu.Unlock()
	if len(sizes.kept) >= maxPrograms {
		clear(sizes.kept)
	}
	sizes.kept[pattern] = len(program.Inst)
	return len(program.Inst), nil
}

// nodes is about how many instructions a parsed pattern becomes, repeats written
// out.
func nodes(re *syntax.Regexp) int {
	n := 1
	if re.Op == syntax.OpLiteral {
		n = len(re.Rune)
	}
	for _, sub := range re.Sub {
		n += nodes(sub)
	}
	if re.Op == syntax.OpRepeat {
		n *= max(re.Min, re.Max, 1)
	}
	return n
}
