// Prints the public symbols without a comment in symbol graphs, one a line, and fails where there are some. What implements a
// requirement of a protocol has that one's comment; what the compiler makes has no place for one.
import Foundation

struct Graph: Decodable {
  struct Symbol: Decodable {
    struct Identifier: Decodable { let precise: String }
    struct Location: Decodable { let uri: String }
    struct Comment: Decodable {}
    let identifier: Identifier
    let pathComponents: [String]
    let docComment: Comment?
    let location: Location?
  }
  struct Relationship: Decodable {
    struct Origin: Decodable {}
    let source, kind: String
    let sourceOrigin: Origin?
  }
  let symbols: [Symbol]
  let relationships: [Relationship]
}

var count = 0
for path in CommandLine.arguments.dropFirst() {
  let graph = try JSONDecoder().decode(Graph.self, from: Data(contentsOf: URL(fileURLWithPath: path)))
  let implementations = Set(
    graph.relationships.filter { $0.kind == "defaultImplementationOf" || $0.sourceOrigin != nil }.map(
      \.source))
  for symbol in graph.symbols where symbol.docComment == nil && symbol.location != nil {
    guard !implementations.contains(symbol.identifier.precise) else { continue }
    let file = symbol.location?.uri.split(separator: "/").last ?? ""
    print("error: \(symbol.pathComponents.joined(separator: ".")) in \(file) has no comment")
    count += 1
  }
}
exit(count == 0 ? 0 : 1)
