// Package numeric finds code whose numbers could differ between machines. It owns three rules: a floating product is
// rounded by an explicit conversion, package math is used only where it is exact, and rules and ledger hold no
// floating point at all. Source: spec/numerics.md §10; The Go Programming Language Specification, "Floating-point
// operators".
package numeric

import (
	"go/ast"
	"go/token"
	"go/types"
	"strings"

	"golang.org/x/tools/go/analysis"
)

const module = "github.com/mutirao/mutirao/"

// numericTrees compute what others must recompute bit for bit; integerTrees decide about money and order.
var (
	numericTrees = []string{"engine", "learn", "verify", "protocol", "chain"}
	integerTrees = []string{"protocol", "chain"}
)

// exactMath lists what package math may be used for: results that IEEE-754 or their own definition fix to the last
// bit on every processor. FMA is absent because rounding its float64 result to float32 rounds twice.
var exactMath = map[string]bool{
	"Sqrt": true, "Abs": true, "Copysign": true, "Signbit": true, "Max": true, "Min": true,
	"Floor": true, "Ceil": true, "Trunc": true, "Round": true, "RoundToEven": true, "Modf": true, "Frexp": true, "Ldexp": true,
	"Float32bits": true, "Float32frombits": true, "Float64bits": true, "Float64frombits": true,
	"IsNaN": true, "IsInf": true, "NaN": true, "Inf": true, "Nextafter32": true, "Nextafter": true,
}

// Analyzer applies the three rules to the packages of this module that they concern; test files are free.
var Analyzer = &analysis.Analyzer{
	Name: "numeric",
	Doc: "report floating-point code whose bits depend on the machine\n\n" +
		"A compiler may fuse x*y + z, even across statements; float32(x*y) may not be fused. Functions of package math\n" +
		"such as Exp have other bits on other processors. In protocol and chain, floating point is not used at all.",
	Run: run,
}

func run(pass *analysis.Pass) (any, error) {
	path := pass.Pkg.Path()
	if !within(path, numericTrees) {
		return nil, nil
	}
	for _, file := range pass.Files {
		if strings.HasSuffix(pass.Fset.Position(file.Pos()).Filename, "_test.go") {
			continue
		}
		math(pass, file)
		if within(path, integerTrees) {
			integers(pass, file)
		} else {
			products(pass, file)
		}
	}
	return nil, nil
}

// within reports whether the package lies in one of the module's trees.
func within(path string, trees []string) bool {
	rest, ok := strings.CutPrefix(path, module)
	if !ok {
		return false
	}
	first, _, _ := strings.Cut(rest, "/")
	for _, tree := range trees {
		if first == tree {
			return true
		}
	}
	return false
}

// math reports functions of package math, and all of math/cmplx, that are not exact.
func math(pass *analysis.Pass, file *ast.File) {
	ast.Inspect(file, func(n ast.Node) bool {
		id, ok := n.(*ast.Ident)
		if !ok {
			return true
		}
		f, ok := pass.TypesInfo.Uses[id].(*types.Func)
		if !ok || f.Pkg() == nil {
			return true
		}
		switch path := f.Pkg().Path(); {
		case path == "math" && !exactMath[f.Name()], path == "math/cmplx":
			pass.Reportf(id.Pos(), "%s.%s has no fixed bits: use engine/kernel, or integers", path, f.Name())
		}
		return true
	})
}

// products reports each floating product that is not rounded at once by a conversion. Whether it feeds a sum is not
// asked: the language lets a compiler fuse through variables, memory and inlined calls. The factors of a larger
// product, a quotient and a comparison have no sum to fuse with.
func products(pass *analysis.Pass, file *ast.File) {
	ast.PreorderStack(file, nil, func(n ast.Node, stack []ast.Node) bool {
		switch n := n.(type) {
		case *ast.BinaryExpr:
			if n.Op == token.MUL && isFloat(pass, n) && !settled(pass, stack) {
				pass.Reportf(n.OpPos, "product may be fused with a sum: convert it, as in float32(a*b)")
			}
		case *ast.AssignStmt:
			if n.Tok == token.MUL_ASSIGN && isFloat(pass, n.Lhs[0]) {
				pass.Reportf(n.TokPos, "product may be fused with a sum: write x = float32(x*y)")
			}
		}
		return true
	})
}

// settled reports whether what encloses a product keeps it from a sum; stack holds the enclosing nodes.
func settled(pass *analysis.Pass, stack []ast.Node) bool {
	for i := len(stack) - 1; i >= 0; i-- {
		switch outer := stack[i].(type) {
		case *ast.ParenExpr:
			continue
		case *ast.UnaryExpr: // a sign: -(a*b) + c can be fused as well
			continue
		case *ast.BinaryExpr:
			switch outer.Op {
			case token.MUL, token.QUO, token.EQL, token.NEQ, token.LSS, token.LEQ, token.GTR, token.GEQ:
				return true
			}
			return false
		case *ast.CallExpr: // a conversion rounds; an argument of a function does not
			return pass.TypesInfo.Types[outer.Fun].IsType()
		default:
			return false
		}
	}
	return false
}

// integers reports floating expressions and types, once for each line. Untyped constants such as 1e6 are exact.
func integers(pass *analysis.Pass, file *ast.File) {
	reported := make(map[int]bool)
	ast.Inspect(file, func(n ast.Node) bool {
		e, ok := n.(ast.Expr)
		if !ok {
			return true
		}
		t := pass.TypesInfo.TypeOf(e)
		if t == nil || !floating(t) || types.Identical(t, types.Typ[types.UntypedFloat]) {
			return true
		}
		if line := pass.Fset.Position(e.Pos()).Line; !reported[line] {
			reported[line] = true
			pass.Reportf(e.Pos(), "floating point in a rule or ledger package: use integers or money.Amount")
		}
		return false
	})
}

// isFloat reports whether an expression is floating and not a constant, which the compiler computes exactly.
func isFloat(pass *analysis.Pass, e ast.Expr) bool {
	tv := pass.TypesInfo.Types[e]
	return tv.Value == nil && tv.Type != nil && floating(tv.Type)
}

func floating(t types.Type) bool {
	if p, ok := t.(*types.TypeParam); ok {
		t = p.Constraint()
		i, _ := t.Underlying().(*types.Interface)
		for e := range i.EmbeddedTypes() {
			if u, ok := e.(*types.Union); ok {
				for term := range u.Terms() {
					if floating(term.Type()) {
						return true
					}
				}
			} else if floating(e) {
				return true
			}
		}
		return false
	}
	b, ok := t.Underlying().(*types.Basic)
	return ok && b.Info()&(types.IsFloat|types.IsComplex) != 0
}
