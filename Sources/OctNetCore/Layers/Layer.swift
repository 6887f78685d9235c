import OctNetSupport

/// A layer is a value that is applied to a symbolic feature and records operations in the network's graph.
///
/// ```swift
/// struct Block: Layer {
///   let name: String
///   func forward(_ x: OctFeature) throws -> OctFeature {
///     let y = try relu(norm(conv(x)))
///     return try relu(y + x)
///   }
/// }
/// ```
///
/// `name` is the layer's part of the dotted path under which its parameters appear in the state dictionary; an empty
/// name adds nothing to the path.
public protocol Layer {
  /// Part of the dotted path; may be empty.
  var name: String { get }
  /// Records the layer's operations and returns its output.
  func forward(_ x: OctFeature) throws -> OctFeature
}

extension Layer {
  /// Applies the layer under its name.
  public func callAsFunction(_ x: OctFeature) throws -> OctFeature {
    try x.builder.scoped(name) { try forward(x) }
  }
}

/// Layers one after the other. A layer without a name of its own is called by its position, as in PyTorch.
public struct Sequential: Layer {
  public let name: String
  /// In the order in which they are applied.
  public let layers: [any Layer]

  /// The first layer gets the input.
  public init(_ name: String = "", _ layers: [any Layer]) {
    self.name = name
    self.layers = layers
  }

  public func forward(_ x: OctFeature) throws -> OctFeature {
    var x = x
    for (position, layer) in layers.enumerated() {
      x = try x.builder.scoped(layer.name.isEmpty ? String(position) : "") { try layer(x) }
    }
    return x
  }
}

/// x + body(x), or shortcut(x) + body(x).
public struct Residual: Layer {
  public let name: String
  /// What is added.
  public let body: any Layer
  /// What the input goes through on its way to the sum; `nil` adds it as it is.
  public let shortcut: (any Layer)?

  /// - Precondition: body and shortcut give equal shapes; the graph refuses others.
  public init(_ name: String = "", body: any Layer, shortcut: (any Layer)? = nil) {
    self.name = name
    self.body = body
    self.shortcut = shortcut
  }

  public func forward(_ x: OctFeature) throws -> OctFeature {
    let y = try body(x)
    return try y + (shortcut.map { try $0(x) } ?? x)
  }
}
