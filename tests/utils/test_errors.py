from w2s_mm.utils.errors import LONGEST, W2SError


def test_the_middle_of_a_very_long_message_is_left_out():
    shown = str(W2SError(f'found {"x" * 1_000_000}; expected y.'))
    assert len(shown) < LONGEST
    assert shown.startswith('found xx') and shown.endswith('x; expected y.')


def test_other_messages_are_whole():
    assert str(W2SError('k is 0.')) == 'k is 0.'
