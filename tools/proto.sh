#!/usr/bin/env bash
# Writes the Go code of proto/ to chain/x/*/*pb. Needs only Go: the compiler (buf) is fetched at a fixed version, the
# plugin is built from the gogoproto that go.mod pins, and the imported .proto files come from the pinned modules.
set -euo pipefail
cd "$(dirname "$0")/.."
buf_version=v1.50.0

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
GOBIN="$work/bin" GOFLAGS=-mod=mod go install "github.com/bufbuild/buf/cmd/buf@$buf_version"
go build -o "$work/bin/protoc-gen-gocosmos" github.com/cosmos/gogoproto/protoc-gen-gocosmos

module() { go list -m -f '{{.Dir}}' "$1"; }
mkdir "$work/imports"
for dir in \
	"$(module github.com/cosmos/cosmos-sdk)/proto/cosmos/msg" \
	"$(module github.com/cosmos/cosmos-sdk)/proto/amino" \
	"$(module github.com/cosmos/cosmos-proto)/proto/cosmos_proto"; do
	name=${dir#*/proto/}
	mkdir -p "$work/imports/$name"
	cp -R --no-preserve=mode "$dir/." "$work/imports/$name"
done
cp -R proto "$work/proto"

cat >"$work/buf.yaml" <<'YAML'
version: v2
modules:
  - path: proto
  - path: imports
YAML
cat >"$work/buf.gen.yaml" <<'YAML'
version: v2
plugins:
  - local: protoc-gen-gocosmos
    out: out
    opt: plugins=grpc,Mgoogle/protobuf/any.proto=github.com/cosmos/gogoproto/types/any
YAML
(cd "$work" && PATH="$work/bin:$PATH" buf generate proto)
for name in work registry dispute market commons params; do
	to="chain/x/$name/${name}pb"
	mkdir -p "$to"
	rm -f "$to"/*.pb.go
	cp "$work/out/github.com/mutirao/mutirao/$to"/*.pb.go "$to/"
done
