import Foundation
import Testing

import OctNet

/// Keys and shapes of state dictionaries: those of the public PyTorch networks, in their order.
@Suite struct KeyTests {
  private func lines(_ name: String) throws -> [String] {
    try String(contentsOfFile: Fixture.path(name), encoding: .utf8).split(separator: "\n").map(String.init)
      .filter { !$0.hasPrefix("#") }
  }

  /// `key (64, 3, 7, 7)`, as Python prints tuples.
  private func lines(_ state: StateDictionary) -> [String] {
    state.map { name, value in
      let shape = value.shape.map(String.init).joined(separator: ", ")
      return "\(name) (\(shape)\(value.shape.count == 1 ? "," : ""))"
    }
  }

  private func network(alpha: Double) throws -> Network {
    try ModelConfiguration(name: "resnet50", alpha: alpha, classes: 1000, inputHeight: 64, inputWidth: 64)
      .makeNetwork()
  }

  @Test func octaveKeysAreThoseOfOctconvPyTorch() throws {
    let expected = try lines("keys-oct-resnet50.txt")
    #expect(expected.count == 654)
    #expect(lines(try network(alpha: 0.5).stateDictionary()) == expected)
  }

  @Test func plainKeysAreThoseOfTorchvision() throws {
    let expected = try lines("keys-resnet50.txt")
    #expect(expected.count == 320)
    #expect(lines(try network(alpha: 0).stateDictionary()) == expected)
  }
}
